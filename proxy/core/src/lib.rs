//! The sans-io heart of Sluice: it decides, others carry the bytes.
