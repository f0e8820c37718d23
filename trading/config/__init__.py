"""Settings: twelve-factor environment into one frozen value per process, or a refusal to start (architecture 12).

There is no name of an environment to compare. Either no server is configured: then the embedded servers of ``DATA_DIR``
are used, on the loopback interface, with generated secrets, and everything is marked as a demonstration (P13). Or every
server is: then nothing generated is accepted. All that is missing, weak or given to a process that must not have it is
named at once, in sentences for the person who starts the process. docs/configuration.md lists every variable.
"""

from __future__ import annotations

from trading.config.places import Place
from trading.config.settings import Settings
from trading.config.variables import VARIABLES, ConfigError, Process

__all__ = ["VARIABLES", "ConfigError", "Place", "Process", "Settings"]
