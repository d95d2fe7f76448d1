# The hub of the chart, and the room's login: its values (deploy/kubernetes/values.yaml) name this image.
FROM quay.io/jupyterhub/k8s-hub:4.4.0
USER root
COPY . /tmp/flatkit
# Without dependencies: the login needs JupyterHub and bcrypt only, and the hub's own packages stay as the chart tested them.
RUN pip install --no-cache-dir --no-deps /tmp/flatkit && rm -rf /tmp/flatkit
USER 1000
