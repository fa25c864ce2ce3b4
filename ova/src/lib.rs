//! Packs the image into an OVA and verifies one. Not built yet.
