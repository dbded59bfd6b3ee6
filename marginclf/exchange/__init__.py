"""Fitted classifiers for other programs: files of skops, and ONNX."""

from .onnx import register_onnx_converter
from .skops import TRUSTED_TYPES

__all__ = ["TRUSTED_TYPES", "register_onnx_converter"]
