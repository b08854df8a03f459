//! Chat: one folder per platform; a small trait and its capabilities.
