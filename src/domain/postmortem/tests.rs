//! Templates, drafts and edits.
