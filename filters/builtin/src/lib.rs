//! The filters that ship with Sluice.
