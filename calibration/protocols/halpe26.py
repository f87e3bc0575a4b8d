"""Halpe's 26 points of body and feet."""
from wholebody.calibration.protocols.halpe import Halpe

PROTOCOL = Halpe("halpe-26", "HALPE_26")
