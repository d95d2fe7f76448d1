"""Clouds: nearly all of them hand the Ignition over as the instance's user data."""

from __future__ import annotations

from flatkit.platforms.platform import Kind, Limit, Piece, Platform


def _cloud(
    name: str,
    title: str,
    *pieces: Piece,
    how: str = "user data of the instance",
    provider: str = "",
    aliases: tuple[str, ...] = (),
    limit: Limit | None = None,
    notes: tuple[str, ...] = (),
) -> Platform:
    return Platform(
        name=name, title=title, kind=Kind.CLOUD, how=how, pieces=pieces, provider=provider or name, aliases=aliases,
        limit=limit, notes=notes,
    )  # fmt: skip


def _cli(text: str, *, is_verified: bool = False) -> Piece:
    return Piece(title="command line", text=text, is_verified=is_verified)


def _form(title: str) -> Piece:
    return Piece(title=f"in the form of {title}", text="user data: the text of @ign@, as it is", is_verified=False)


CLOUDS: tuple[Platform, ...] = (
    _cloud(
        "aws", "AWS EC2",
        _cli("aws ec2 run-instances --image-id AMI --instance-type t3.small --key-name KEY --user-data file://@ign@"),
        provider="ami", aliases=("ec2", "amazon"), limit=Limit(size=16 * 1024, is_verified=False),
        notes=("each release lists its images in flatcar_production_ami_all.json",),
    ),
    _cloud(
        "azure", "Microsoft Azure",
        _cli("az vm create --resource-group GROUP --name @name@ --image IMAGE --user-data @ign@", is_verified=True),
        Piece(
            title="or as custom data",
            text='az vm create --resource-group GROUP --name @name@ --image IMAGE --custom-data "$(cat @ign@)"',
        ),
        how="user data or custom data of the machine", limit=Limit(size=64 * 1024, is_verified=False),
    ),
    _cloud(
        "gcp", "Google Cloud",
        _cli("gcloud compute instances create @name@ --image IMAGE --metadata-from-file user-data=@ign@", is_verified=True),
        how="metadata key user-data", provider="gce", aliases=("gce", "google"),
        limit=Limit(size=256 * 1024, is_verified=False),
    ),
    _cloud(
        "digitalocean", "DigitalOcean",
        _cli("doctl compute droplet create @name@ --image IMAGE --size s-1vcpu-2gb --user-data-file @ign@"),
        aliases=("do",),
    ),
    _cloud(
        "hetzner", "Hetzner Cloud",
        _cli("hcloud server create --name @name@ --type TYPE --image SNAPSHOT --user-data-from-file @ign@"),
    ),
    _cloud(
        "openstack", "OpenStack",
        _cli("openstack server create --image flatcar --flavor m1.small --user-data @ign@ @name@", is_verified=True),
        Piece(title="without a metadata service", text="the same, with --config-drive true"),
        how="user data, by the metadata service or a config drive", limit=Limit(size=64 * 1024, is_verified=False),
    ),
    _cloud("oracle", "Oracle Cloud", _cli("oci compute instance launch ... --user-data-file @ign@"), provider="oraclecloud"),
    _cloud(
        "scaleway", "Scaleway",
        _cli("scw instance server create name=@name@ image=IMAGE cloud-init=@@ign@", is_verified=True),
        notes=("the option is named cloud-init, and takes Ignition as well",),
    ),
    _cloud(
        "akamai", "Akamai (Linode)",
        _cli(
            'linode-cli linodes create --label @name@ --image IMAGE --metadata.user_data "$(base64 -w0 @ign@)"',
            is_verified=True,
        ),
        aliases=("linode",), notes=("the image that you upload may have 6 GiB at most",),
    ),
    _cloud(
        "exoscale", "Exoscale", _cli("exo compute instance create @name@ --template TEMPLATE --cloud-init @ign@"),
        notes=("its API takes 2 KB of user data in a GET request, more in a POST",),
    ),
    _cloud("vultr", "Vultr", _form("Vultr")),
    _cloud("brightbox", "Brightbox", _form("Brightbox")),
    _cloud("stackit", "STACKIT", _form("STACKIT")),
    _cloud(
        "ovh", "OVHcloud", Piece(title="in the form", text='"post-install script": the text of @ign@, as it is'),
        how="the field post-install script", aliases=("ovhcloud",),
    ),
    _cloud("nutanix", "Nutanix", _form("Nutanix")),
    _cloud("ibm", "IBM Cloud", _form("IBM Cloud")),
    _cloud("upcloud", "UpCloud", _form("UpCloud")),
)  # fmt: skip
