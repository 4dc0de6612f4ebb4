//! The filter trait, its phases and its verdicts.
