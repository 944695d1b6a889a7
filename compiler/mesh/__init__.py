"""Models divided between clusters: phases, and what each cluster computes in one."""
