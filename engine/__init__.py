# SPDX-License-Identifier: GPL-3.0-or-later
"""The HM-Talker engine: speech to Action Units, Action Units to posed Gaussians, posed Gaussians to frames.

Knows nothing of Blender. Outside Blender it is the pip package ``hmtalker``; inside, it is part of the extension.
"""

__version__ = "0.1.0"
