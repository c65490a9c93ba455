//! A cluster in a box: real binaries, an S3 endpoint, Redis, faults, clients.
