"""Flow and disparity by a network: RAFT with published weights, or a refinement that is trained on the recordings
themselves."""
