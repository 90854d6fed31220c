module ringpost.example/peer

go 1.25
