//! What a problem's commands come to, and what is remembered of recurring incidents.
