package auth

import "time"

// What Config.RevocationUnknown may be.
const (
	admitUnknown  = "admit"
	refuseUnknown = "refuse"
)

// Policy is what the configuration says of identities after they were verified:
// how they end.
type Policy struct {
	Warning       time.Duration // before the end; 0: none
	Jitter        time.Duration // after the end
	RenewEvery    time.Duration // at least between two new tokens of one connection; 0: any
	RefuseUnknown bool          // when nobody can tell whether a token was revoked
	Remembered    int           // revocations kept in memory
}

// Policy returns the part of the settings that whoever holds connections needs.
func (c *Config) Policy() Policy {
	return Policy{
		Warning: c.ExpiryWarning, Jitter: c.ExpiryJitter, RenewEvery: c.RenewEvery,
		RefuseUnknown: c.RevocationUnknown == refuseUnknown, Remembered: c.RevocationMemory,
	}
}

func (c *Config) policy(p *problems) {
	if c.ExpiryWarning < 0 || c.ExpiryWarning > time.Hour {
		p.add("expiry_warning", "must be between 0 and 1h")
	}
	if c.ExpiryJitter < 0 || c.ExpiryJitter > 5*time.Minute {
		p.add("expiry_jitter", "must be between 0 and 5m")
	}
	if c.RenewEvery < 0 || c.RenewEvery > time.Hour {
		p.add("renew_every", "must be between 0 and 1h")
	}
	if u := c.RevocationUnknown; u != "" && u != admitUnknown && u != refuseUnknown {
		p.add("revocation_unknown", "must be %q or %q", admitUnknown, refuseUnknown)
	}
	p.between("revocation_memory", c.RevocationMemory, 0, 1_000_000)
}
