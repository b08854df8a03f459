//! Sources: one file per sender, each a pure parser from bytes to signals.
