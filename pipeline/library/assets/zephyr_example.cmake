# A scale on the I2S device of the alias i2s-tx:
#   west build -b BOARD samples/i2s -- -DEXTRA_ZEPHYR_MODULES=<full path of the module>
cmake_minimum_required(VERSION 3.20.0)
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(scale)
target_sources(app PRIVATE src/main.c)
