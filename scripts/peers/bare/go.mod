module peers/bare

go 1.26.0

require peers/control v0.0.0

replace peers/control => ../control
