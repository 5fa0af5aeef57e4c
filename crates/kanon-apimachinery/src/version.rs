//! Being written by a second author.
