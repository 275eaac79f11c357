//! Settings: a file and app settings, turned into model types with every problem named.
