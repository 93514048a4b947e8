# Profile "edge": the class of a 4 TOPS USB stick. Copy this file, change it, and give its path where a profile is asked for.
# One `key = value` a line; a [section] goes before its keys; everything after # is comment. Every key is given exactly once.
# Values are whole numbers; those in bytes may end in KiB, MiB or GiB.
name = edge

[chip]                          # what a compiler may know; a device reports the same
isa_generation = 1              # which commands and cycle formulas apply
clock_khz = 500000              # 500 MHz
oc_lanes = 64                   # MAC array: output channels per cycle
dot_depth = 64                  # MAC array: products summed per output channel and cycle
dw_channels = 64                # depthwise: channels per cycle
dw_taps = 4                     # depthwise: taps per channel and cycle
vector_lanes = 64               # vector engine: elements per cycle
start_cycles = 16               # start cost of every command
sram_bytes = 8 MiB              # scratchpad
sram_bytes_per_cycle = 64       # of one DMA engine, SRAM to SRAM and fill
dram_bytes = 64 MiB             # buffers of all contexts together
dram_bytes_per_cycle = 8        # shared by all DMA engines that transfer
dram_latency_cycles = 100       # per DMA command that touches DRAM
dram_burst_bytes = 64           # each contiguous row is rounded up to it
dma_engines = 2                 # 1 to 4
job_cycles_max = 50000000       # longest job; the compiler splits what is longer

[link]                          # the cable, as the device models it
super_speed = 1                 # 1: USB 3 (1024-byte packets), 0: USB 2 (512)
megabytes_per_second = 440      # 10^6 bytes, each way
round_trip_us = 270             # an empty request and its answer

[power]
idle_milliwatts = 300
full_mac_milliwatts = 2000      # with every multiplier busy in every cycle
ambient_millicelsius = 25000
thermal_resistance_millikelvin_per_watt = 20000
thermal_time_constant_ms = 10000
throttle_millicelsius = 85000   # the clock is halved above it, until 5 degrees below
