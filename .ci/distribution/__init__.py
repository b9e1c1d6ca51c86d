# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shipped and with which versions of what: locked wheels, pinned environments, checks of the extension zip."""
