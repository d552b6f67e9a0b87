"""The instrument in floating point: network, FM, noise, reverb, expression, upsampler, metrics."""
