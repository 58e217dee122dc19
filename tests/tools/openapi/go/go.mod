module life

go 1.23
