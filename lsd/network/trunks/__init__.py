"""Trunks: what comes before the heads of a stage.

trunk        what a kind of trunk offers, and how to write one
unet         the U-Net of the paper; unet_module: its layers in torch
residual     the residual symmetric U-Net; residual_module: its layers in torch
"""
