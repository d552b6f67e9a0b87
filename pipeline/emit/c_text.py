"""C text that all generated files share."""

BANNER = "/* Made by pipeline.codegen; do not edit. */\n"
BANNER = "/* Made by pipeline.codegen; do not edit. */\n"
