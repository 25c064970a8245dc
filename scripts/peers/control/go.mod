module peers/control

go 1.26.0
