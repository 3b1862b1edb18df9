"""What hpsearch costs and how fast it is, beside its peers: `scripts/bench`."""
