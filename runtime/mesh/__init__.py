"""Models on a mesh of clusters: phases simulated on one, put together by a model of the network."""
