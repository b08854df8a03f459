//! What requests come to, where no story tells it.
