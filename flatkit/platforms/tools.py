"""Tools that make many machines: they take Butane, or make Ignition themselves."""

from __future__ import annotations

from flatkit.platforms.platform import Kind, Piece, Platform

_TERRAFORM = """\
terraform {
  required_providers {
    ct = { source = "poseidon/ct", version = "0.14.0" }
  }
}

data "ct_config" "@name@" {
  content = file("@bu@")
  strict  = true
}

# Then, for the machine:  user_data = data.ct_config.@name@.rendered"""

_GO = """\
package main

import (
\t"fmt"
\t"os"

\t"github.com/coreos/butane/config"
\t"github.com/coreos/butane/config/common"
)

func main() {
\tbutane, err := os.ReadFile("@bu@")
\tif err != nil {
\t\tpanic(err)
\t}
\tignition, report, err := config.TranslateBytes(butane, common.TranslateBytesOptions{})
\tfmt.Fprint(os.Stderr, report.String())
\tif err != nil {
\t\tpanic(err)
\t}
\tos.Stdout.Write(ignition)
}"""

_CAPI = """\
apiVersion: bootstrap.cluster.x-k8s.io/v1beta1
kind: KubeadmConfigTemplate
metadata:
  name: @name@
spec:
  template:
    spec:
      format: ignition
      ignition:
        containerLinuxConfig:
          additionalConfig: |
            # what your machines need beside Kubernetes; a Container Linux Config, the older form of Butane
            storage:
              files: []"""

TOOLS: tuple[Platform, ...] = (
    Platform(
        name="terraform", title="Terraform, OpenTofu", kind=Kind.TOOL, how="the provider poseidon/ct translates Butane",
        aliases=("tofu", "opentofu"), pieces=(Piece(title="main.tf", text=_TERRAFORM),),
        notes=("in a template, a dollar sign that is Butane's is written twice: $${VARIABLE}",
               "examples for many clouds: github.com/flatcar/flatcar-terraform"),
    ),
    Platform(
        name="go", title="Go", kind=Kind.TOOL, how="Butane and Ignition are Go libraries", aliases=("golang",),
        pieces=(Piece(title="main.go", text=_GO, is_verified=False),),
        notes=("the types of a config: github.com/coreos/ignition/v2", "Python has no such bindings; flatkit brings its own"),
    ),
    Platform(
        name="capi", title="Cluster API", kind=Kind.TOOL, how="the bootstrap provider makes the Ignition; yours is added to it",
        aliases=("cluster-api", "capa", "capz", "capo", "capv"),
        pieces=(Piece(title="KubeadmConfigTemplate", text=_CAPI, is_verified=False),),
        notes=("Flatcar is a first choice for the providers of AWS and vSphere, and works with OpenStack's",
               "your Butane is not handed over as it is: only what is beside Kubernetes goes into additionalConfig"),
    ),
)  # fmt: skip
