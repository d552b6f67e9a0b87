"""Int8 step models as they were before the convolutions became FULLY_CONNECTED."""

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils


def as_convolutions(data: bytes) -> bytes:
    """Returns an int8 step model with CONV_2D on tensors [1, 1, 1, channels]."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 2:
            tensor.shape = [tensor.shape[0], 1, 1, tensor.shape[1]]
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
            code.version = 3
    for operator in model.subgraphs[0].operators:
        if operator.builtinOptionsType == schema.BuiltinOptions.FullyConnectedOptions:
            options = schema.Conv2DOptionsT()
            options.padding = schema.Padding.VALID
            options.strideW = options.strideH = 1
            options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
            operator.builtinOptions = options
            operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
