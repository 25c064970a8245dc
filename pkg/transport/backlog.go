package transport

// crowdedShare is what part of Config.BacklogBytes a client has while all of
// them together have reached Config.BacklogTotal.
const crowdedShare = 8

// behind tells whether a client for which so many bytes wait, besides the frame
// that is leaving, is too far behind to be sent more. When too much waits in all, those go first that are furthest
// behind, and who takes what it is sent goes on.
func (v *Server) behind(waiting int) bool {
	if waiting >= v.cfg.BacklogBytes {
		return true
	}
	// The sum is looked up only for those who are behind already.
	return waiting >= v.cfg.BacklogBytes/crowdedShare && v.metrics.backlog() >= int64(v.cfg.BacklogTotal)
}
