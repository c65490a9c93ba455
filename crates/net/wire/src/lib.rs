//! Messages between processes: protobuf services, client contracts, push codecs.
