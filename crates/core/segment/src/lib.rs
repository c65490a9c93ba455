//! The columnar segment format: writer, reader, merge.
