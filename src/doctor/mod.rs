//! What keeps a deploy from working, in the order in which things break.
