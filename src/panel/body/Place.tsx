import { useState } from 'react';
import type { Site } from '../../protocol';
import { siteText, siteTitle } from '../model/site';
import { useModel } from './context';

/** Where a call was made, as a way to go there. */
export function Place({ site }: { site: Site }) {
  const model = useModel();
  const [lost, setLost] = useState(false);
  const go = async () => {
    setLost(false);
    setLost(!(await model.reveal(site)));
  };
  return (
    <span className='jp-Torchtwin-place'>
      <button type='button' className='jp-Torchtwin-link' title={siteTitle(site)} onClick={go}>
        {siteText(site)}
      </button>
      <span role='status'>{lost && ' (not found any more)'}</span>
    </span>
  );
}
