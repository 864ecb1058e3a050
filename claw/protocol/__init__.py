"""The contract between the core and every frontend: ops go in, events come out."""
