"""What a maintainer publishes: the files of a release, and the static site."""
