"""Names and ranges that more than one file of the integration needs."""

import logging
from typing import Final

DOMAIN: Final = "goodwe_sec1000"
ENTRY_VERSION: Final = 2
"""Of the config entries; version 1 is the older integration of this domain."""
LOGGER: Final = logging.getLogger(__package__)

CONF_MIN_EXPORT_LIMIT: Final = "min_export_limit"
CONF_MAX_EXPORT_LIMIT: Final = "max_export_limit"
CONF_TOTAL_CAPACITY: Final = "total_capacity"
CONF_CONTROL_MODE: Final = "export_limit_control_mode"
CONF_SUM_OF_PHASES: Final = "scan_three_phases"
CONF_PUT_BACK: Final = "put_back"
CONF_ALLOW_DEACTIVATING: Final = "allow_deactivating"

DEFAULT_NAME: Final = "SEC1000"
DEFAULT_HOST: Final = "192.168.1.200"
DEFAULT_PORT: Final = 1234
# Intervals are in s.
MAX_PORT: Final = 65535
DEFAULT_SCAN_INTERVAL: Final = 30
MIN_SCAN_INTERVAL: Final = 5
"""Polled faster, the device stops answering until it is power-cycled."""
MAX_SCAN_INTERVAL: Final = 3600
MIN_LIMIT_KW: Final = -100.0
"""An export limit below 0 makes the house import at least that much."""
MAX_KILOWATTS: Final = 100.0
"""The largest limit and capacity; the smallest is 0 (docs/protocol.md, "Ranges")."""
