# As on Flatcar: a login finds programs of one's own in /opt/bin (other sessions: /etc/environment).
PATH="$PATH:/opt/bin"
