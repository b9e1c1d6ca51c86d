# SPDX-License-Identifier: GPL-3.0-or-later
"""The short road from a motion state to a picture: what render.Renderer does on a CPU.

Each step is a kernel of motion, gaussians or rasterize, and has its readable reference there. Here they are strung
together so that 32 Gaussians go from their rest to the screen, and a tile from its splats to finished pixels, without
leaving the processor's nearest memory.
"""
