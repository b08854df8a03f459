//! Notify: one file per pager channel.
