"""The hand-over of a config to a machine on each platform: a table of facts, and the commands for one config. Pure."""

from flatkit.platforms.handover import PLATFORMS as PLATFORMS
from flatkit.platforms.handover import Fit as Fit
from flatkit.platforms.handover import Handover as Handover
from flatkit.platforms.handover import Payload as Payload
from flatkit.platforms.handover import PlatformKind as PlatformKind
from flatkit.platforms.handover import SizeLimit as SizeLimit
from flatkit.platforms.handover import get_platform as get_platform
from flatkit.platforms.handover import hand_over as hand_over
