//! The namespace lab and what the stories share.
