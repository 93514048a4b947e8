# Profile "tiny": a microcontroller-class NPU on USB 2. Copy this file, change it, and give its path where a profile is asked for.
# One `key = value` a line; a [section] goes before its keys; everything after # is comment. Every key is given exactly once.
# Values are whole numbers; those in bytes may end in KiB, MiB or GiB.
name = tiny

[chip]                          # what a compiler may know; a device reports the same
isa_generation = 1              # which commands and cycle formulas apply
clock_khz = 200000              # 200 MHz
oc_lanes = 16                   # MAC array: output channels per cycle
dot_depth = 8                   # MAC array: products summed per output channel and cycle
dw_channels = 16                # depthwise: channels per cycle
dw_taps = 1                     # depthwise: taps per channel and cycle
vector_lanes = 16               # vector engine: elements per cycle
start_cycles = 16               # start cost of every command
sram_bytes = 256 KiB            # scratchpad
sram_bytes_per_cycle = 16       # of one DMA engine, SRAM to SRAM and fill
dram_bytes = 16 MiB             # buffers of all contexts together
dram_bytes_per_cycle = 2        # shared by all DMA engines that transfer
dram_latency_cycles = 60        # per DMA command that touches DRAM
dram_burst_bytes = 32           # each contiguous row is rounded up to it
dma_engines = 1                 # 1 to 4
job_cycles_max = 50000000       # longest job; the compiler splits what is longer

[link]                          # the cable, as the device models it
super_speed = 0                 # 1: USB 3 (1024-byte packets), 0: USB 2 (512)
megabytes_per_second = 40       # 10^6 bytes, each way
round_trip_us = 500             # an empty request and its answer

[power]
idle_milliwatts = 50
full_mac_milliwatts = 250       # with every multiplier busy in every cycle
ambient_millicelsius = 25000
thermal_resistance_millikelvin_per_watt = 20000
thermal_time_constant_ms = 10000
throttle_millicelsius = 85000   # the clock is halved above it, until 5 degrees below
