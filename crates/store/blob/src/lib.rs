//! Object storage: S3, filesystem and memory behind one contract.
