import RaftServer
