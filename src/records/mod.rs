//! Records: what the journal adds up to, in sled; rebuilt from the journal whenever missing, behind or corrupt.
