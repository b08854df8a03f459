//! Journal: the truth. Append-only lines, one commit each; verify, export, recover. It does not know what events mean.
