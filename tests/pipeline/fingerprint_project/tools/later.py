value = 41
idle = 1
