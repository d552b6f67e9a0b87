"""The instrument in floating point: network, FM, noise, reverb, expression and upsampler, and how its sound is measured."""
