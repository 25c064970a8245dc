package transport

// crowdedShare is what part of Config.BacklogBytes a client has when all of
// them together have reached Config.BacklogTotal.
const crowdedShare = 8

// behind tells whether a client for which so many bytes wait, besides the frame
// that is leaving, is too far behind to be sent more. When too much waits in
// all, those go first that are furthest behind, and who takes what it is sent
// goes on.
func (v *Server) behind(waiting int) bool {
	switch {
	case waiting == 0:
		return false
	case waiting >= v.cfg.BacklogBytes:
		return true
	}
	total := float64(v.cfg.BacklogTotal)
	over := float64(v.metrics.backlog())/total - 1
	return over >= 0 && float64(waiting) >= float64(v.cfg.BacklogBytes/crowdedShare)*(1-over)
}
